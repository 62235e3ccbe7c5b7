"""What is true of a simulated study, in files beside its images and never inside them.

`write` makes `truth.json` and the label maps, `read` gives them back typed; `model` says what they hold.
"""
