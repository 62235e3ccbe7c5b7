"""arch tests"""
