"""How well the pipeline measures and finds, against simulated patients whose truth is known.

The only package that reads the truth and runs the branches. No branch imports it, and it is reached
by entry point (`bmnode.tools`) alone.
"""
