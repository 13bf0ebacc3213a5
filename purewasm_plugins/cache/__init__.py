"""Where translated code is kept between processes."""
