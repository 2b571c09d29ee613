"""What entry points do with the ledger, beside its ports: set-up, questions, held deliveries.

In comes what a person or a schedule asks for; out go values. No part of the engine comes here.
"""
