"""The stages of the grid: a description in, a record out. A chapter shows how; these do it headlessly."""
