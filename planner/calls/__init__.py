"""Makes the consented calls: decides, launches, reconciles and collects, from the log alone."""
