"""Times in pages that Django makes, in the one form that lists, audit rows and log lines have."""
