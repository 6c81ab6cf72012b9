"""The nouns that every room shares: frozen dataclasses without any input or output. Start with `snapshot.py`, then
`steps.py`.
"""
