"""The intermediate representation: types, tensors, graphs, and what one asks of them."""
