"""THE ADDRESSES OF RECEIVERS: one view for each format, and refusals in the form that its senders read."""
