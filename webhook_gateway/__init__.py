"""The door: verified webhooks in, stored deliveries out."""
