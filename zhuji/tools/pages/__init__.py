"""What the pages of `report` and `check` are made of: drawing, pictures, the template and its style."""
