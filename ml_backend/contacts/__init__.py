"""What a business card says, as other programs take it: split, checked, and written as vCard or CSV."""
