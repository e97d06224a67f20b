"""The pure core of the notifier: who must be told what, through which channel, and when."""
