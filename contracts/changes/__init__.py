"""What changes between two versions of a sharing: what of the data goes out, and under which terms."""
