"""Services that make test calls. `base` is all that the rest of the program knows of them."""
