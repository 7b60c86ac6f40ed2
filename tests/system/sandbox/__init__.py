"""The processes that decode uploads, looked at from outside and tried from inside."""
