"""The services of the example bot: its catalogue, a carrier, a warehouse, and who a customer is."""
