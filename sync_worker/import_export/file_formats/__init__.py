"""The file formats that ship (``--preset``): where known systems keep what a rating is."""
