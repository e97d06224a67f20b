"""The words: what leaves the house says little, what stands behind the link says all."""
