"""Where a place of one scan lies in another scan of the patient: bone by bone, blended to one smooth field."""
