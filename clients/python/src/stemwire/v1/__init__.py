"""The stubs that the proto gives, and the place to read what each field means."""
