"""The messages and stubs generated from the proto, which documents every field."""
