"""Where each modality looks: grids placed by the bones of the person who lies there."""
