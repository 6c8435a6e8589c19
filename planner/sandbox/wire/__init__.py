"""What may be sent and what is answered, in both dialects, and the OpenAPI documents that say so."""
