"""What may be done: the data contract, the checks compiled from it, and the decision Permit or Deny."""
