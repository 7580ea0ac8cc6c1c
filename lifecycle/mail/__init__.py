"""Templates: what a patient will read, before a patient reads it. Nothing is ever sent or fetched.

Texts are data, never code: our own scanner replaces eTermin's tokens, and shared parts come by a list in
the front matter. ``templates`` loads, ``render`` fills, ``lint`` finds, ``gallery`` shows, ``compare`` learns.
"""
