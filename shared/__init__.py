"""What the four services share: the wire contract, the protocols, the stream runtime, the command line."""
