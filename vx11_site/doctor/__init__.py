"""What `manage.py doctor` looks at: one module for each thing that can be ill, and how its findings are told."""
