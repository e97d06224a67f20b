"""What webhooks keep in Redis: subscriptions, how they stand, how far they are, and what was delivered.

No consumer group is used: a system is idle when its services have handled everything, whether or not a receiver far
away answers. Each subscription has a cursor for each stream of each partition instead.

    subscription    who wants what, signed with which keys
    standing        whether its endpoint is well: the next try, the pause, the end
    feed            the output streams of a partition, merged in the order of their entries
    route           one subscription in one partition: lease, cursors, ledger, repeats
"""
