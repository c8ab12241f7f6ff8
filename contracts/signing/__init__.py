"""How two parties sign a contract and its agreement, and how anybody checks that they did. No I/O, no clock."""
