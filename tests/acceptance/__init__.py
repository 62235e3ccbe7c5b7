"""acceptance tests"""
