"""the synthetic patients"""
