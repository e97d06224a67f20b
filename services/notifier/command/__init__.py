"""`adaptive-care alerts`: what an operator sees of escalations, and may set right."""
