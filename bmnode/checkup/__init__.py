"""How a node is: what a running one has in hand, and what needs a person. Looks, and changes nothing."""
