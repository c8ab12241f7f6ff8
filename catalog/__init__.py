"""What has been published: Delta tables that are staged first, then revealed, and read through one manifest a contract."""
