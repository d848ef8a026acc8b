"""Sessions and executables."""
