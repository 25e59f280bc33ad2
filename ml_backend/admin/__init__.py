"""The panel that people run the system from: pages rendered here, forms that post back, hardly any JavaScript."""
