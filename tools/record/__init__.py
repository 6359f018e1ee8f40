"""What `record_run.py` is made of: a pack carries this folder whole, so all in it needs the standard library alone."""
