"""The sandbox of decoder processes, inspected from outside and tested from inside."""
