"""The book's figures: one function each, records or arrays in, axes out. `theme()` sets the look of all of them."""

from imbnas.plots.theme import theme as theme
