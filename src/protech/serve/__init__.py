"""What other processes speak to: the detector service and the local pages."""
