"""What the headers of the desk's messages are called: whoever writes one and whoever reads it take the name from here."""

JOB = "job"  # the row that the message wakes
FIRST = "first"  # waits in the lane of its queue that is emptied first
SOURCE, TENANT, PRIORITY = "source", "tenant", "priority"  # for whose slot a paced message waits, and in which place
SLOT = "slot"  # of the source, paid
SENT_AT_S = "sent_at_s"
AGAIN = "again"  # how often a message without a row has waited for another slot
