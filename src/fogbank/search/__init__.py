"""The query language of fleet indexing (developer guide, query-syntax): parsed, checked and matched. Pure."""
