"""Fine-tuning: attention between product names that is a probability of co-purchase."""
