"""contract tests"""
