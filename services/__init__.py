"""The four services. They share nothing but events: none of them imports another."""
