"""The operator graph: contract, base operator, runner. Here and in `operators.nodes` monai.deploy is imported."""
