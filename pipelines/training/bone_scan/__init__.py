"""What the bone scan branch is made and measured with: needs the simulator, and is no part of an assessment."""
