TITLE='our client with a wrong password is refused, and says so'
AUTH=eap OUR_PASSWORD=wrong REFUSED=1
check() { adit_log 'refused the user name or the password'; }
