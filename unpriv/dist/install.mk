# make install: see unpriv/dist/install.
install: all
	unpriv/dist/install $(BUILD) '$(DESTDIR)' '$(PREFIX)'
