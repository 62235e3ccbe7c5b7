"""`bmnode demo`: a node and an archive on this machine, patients through both, truth beside result."""
