"""Learned models beside the thresholds that they would replace, on simulated patients never trained on."""
