"""The functions of AWS IoT SQL: one file per family, each with a table `FUNCTIONS`; `catalogue.py` joins them."""
