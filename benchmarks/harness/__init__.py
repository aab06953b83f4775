"""What is measured, and how: flows and layers, their competitors, clocks and floors."""
